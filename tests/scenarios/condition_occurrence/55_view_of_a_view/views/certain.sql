SELECT * FROM asked WHERE `구분` = '확정'
