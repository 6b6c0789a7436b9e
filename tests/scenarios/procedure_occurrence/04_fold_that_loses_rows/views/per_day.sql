SELECT `환자번호`, `코드`, `일자`, count(*) AS N_ROWS
FROM claims
WHERE `코드` IS NOT NULL
GROUP BY `환자번호`, `코드`, `일자`
