SELECT * FROM (
  SELECT _file, _row, `청구번호`, `환자번호`, `진료일`,
    stack(3, '1', `코드1`, `금액1`, '2', `코드2`, `금액2`, '3', `코드3`, `금액3`) AS (`순번`, `코드`, `금액`)
  FROM bills
) WHERE `코드` IS NOT NULL
