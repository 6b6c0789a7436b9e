SELECT `환자번호`, `코드`, `시행일`, sum(CAST(`금액` AS BIGINT)) AS `합계`, count(*) AS `줄수`
FROM claims
GROUP BY `환자번호`, `코드`, `시행일`
