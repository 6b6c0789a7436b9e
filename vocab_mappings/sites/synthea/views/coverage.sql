-- One row a span of insurance, with the payer's name beside its id.
SELECT t.*, p.NAME AS PAYER_NAME
FROM payer_transitions t
LEFT JOIN payers p ON p.Id = t.PAYER
