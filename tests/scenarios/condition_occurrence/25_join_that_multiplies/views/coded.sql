SELECT d.*, b.`상병코드`
FROM diagnoses d LEFT JOIN codebook b ON d.`원내코드` = b.`원내코드`
