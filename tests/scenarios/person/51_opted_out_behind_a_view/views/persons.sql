SELECT * FROM (
  SELECT y.*, row_number() OVER (PARTITION BY `환자번호` ORDER BY `연도` DESC) AS n FROM yearly y
) t
WHERE n = 1
