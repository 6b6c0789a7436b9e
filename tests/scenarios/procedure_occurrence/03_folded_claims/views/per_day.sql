SELECT `환자번호`, `코드`, `일자`, sum(CAST(`횟수` AS INT)) AS `횟수`, count(*) AS N_ROWS
FROM claims
GROUP BY `환자번호`, `코드`, `일자`
