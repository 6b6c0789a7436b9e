SELECT * FROM diagnoses WHERE `구분` IN ('주', '없음')
