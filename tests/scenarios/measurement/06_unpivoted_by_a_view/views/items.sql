SELECT * FROM (
  SELECT _file, _row, `환자번호`, `검진일`,
    stack(3, '3094-0', `요소질소`, 'mg/dL', '2160-0', `크레아티닌`, 'mg/dL', '1742-6', `알티`, '[U]/L') AS (`항목`, `값`, `단위`)
  FROM checkup
) WHERE `값` IS NOT NULL
