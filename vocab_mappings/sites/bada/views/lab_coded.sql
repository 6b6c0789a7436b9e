-- One row a result, with the billing code that the code table gave its test on the day of the sample.
SELECT r.*, t.`원내명칭`, t.`보험코드`, t.`코드구분`
FROM lab r
LEFT JOIN code_table t
  ON t.`원내코드` = r.`검사코드`
 AND SUBSTRING(r.`접수일시`, 1, 8) BETWEEN t.`시작일자` AND t.`종료일자`
