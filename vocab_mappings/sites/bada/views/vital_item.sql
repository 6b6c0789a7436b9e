-- One row a filled cell of the sheet of vital signs. `stack` instead of UNPIVOT: engines differ on empty cells.
SELECT i.*
FROM (
  SELECT v._file, v._row, v.`기록번호`, v.`내원번호`, v.`환자번호`, v.`측정일시`,
         stack(10,
           '수축기혈압', v.`수축기혈압`, 'mmHg',
           '이완기혈압', v.`이완기혈압`, 'mmHg',
           '맥박',       v.`맥박`,       '회/분',
           '체온',       v.`체온`,       '℃',
           '호흡수',     v.`호흡수`,     '회/분',
           '신장',       v.`신장`,       '㎝',
           '체중',       v.`체중`,       '㎏',
           '체질량지수', v.`체질량지수`, '㎏/㎡',
           '산소포화도', v.`산소포화도`, '%',
           '흡연상태',   v.`흡연상태`,   NULL) AS (`항목`, `값`, `단위`)
  FROM vital v
) i
WHERE i.`값` IS NOT NULL
