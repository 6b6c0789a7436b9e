SELECT * FROM diagnoses WHERE substr(`상병코드`, 1, 1) <> 'Z' OR `상병코드` IS NULL
