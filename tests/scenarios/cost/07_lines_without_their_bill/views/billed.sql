SELECT b.*, s.`줄수`, s.`합계`
FROM bills b
LEFT JOIN (
  SELECT `청구번호` AS bill, count(*) AS `줄수`, sum(CAST(`금액` AS BIGINT)) AS `합계`
  FROM lines
  GROUP BY `청구번호`
) s ON s.bill = b.`청구번호`
