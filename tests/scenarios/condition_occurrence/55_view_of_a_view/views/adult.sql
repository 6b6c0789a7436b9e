SELECT * FROM certain WHERE `상병코드` <> 'R51'
