SELECT _file, _row, `번호`, `환자번호`, `조사일`, stack(2, 1, `흡연`, 2, `음주`) AS (`문항`, `답`)
FROM surveys
