SELECT d.*, c.`표준`, k.`과명`
FROM diagnoses d
LEFT JOIN codebook c ON d.`상병코드` = c.`코드`
LEFT JOIN clinics k ON d.`과` = k.`과`
