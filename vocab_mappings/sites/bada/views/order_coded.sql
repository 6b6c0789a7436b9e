-- One row an order, with the billing code that the code table gave its local code on the day of the order.
-- What is billed has a code type. What is not billed is told by how it was ordered: a drug has times a day and a route.
SELECT o.*, t.`원내명칭`, t.`보험코드`, t.`코드구분`,
       CASE WHEN t.`코드구분` IN ('3', '4', '5') THEN '약'
            WHEN t.`코드구분` = '8' THEN '재료'
            WHEN t.`코드구분` IN ('1', '2') THEN '행위'
            WHEN o.`용법경로` IS NOT NULL THEN '약'
            ELSE '행위' END AS `종류`
FROM orders o
LEFT JOIN code_table t
  ON t.`원내코드` = o.`처방코드`
 AND o.`처방일자` BETWEEN t.`시작일자` AND t.`종료일자`
