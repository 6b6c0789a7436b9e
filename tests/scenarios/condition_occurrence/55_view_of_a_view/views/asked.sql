SELECT * FROM diagnoses WHERE `구분` <> '검진'
