-- A column for each test becomes a row for each result; 1,234 becomes 1234.
SELECT `_file`, `_row`, `검체번호`, `내원구분`, `내원번호`, `등록번호`, `채취일시`, `검사코드`,
       replace(`원결과`, ',', '') AS `결과`, `단위`
FROM (
  SELECT `_file`, `_row`, `검체번호`, `내원구분`, `내원번호`, `등록번호`, `채취일시`,
         stack(4,
               '혈당', `혈당`, 'mg/dL',
               '크레아티닌', `크레아티닌`, 'mg/dL',
               'CRP', `CRP`, 'mg/dL',
               '요단백', `요단백`, NULL) AS (`검사코드`, `원결과`, `단위`)
  FROM result_wide
) unpivoted
WHERE `원결과` IS NOT NULL
