SELECT r.*, lpad(r.`환자`, 8, '0') AS `등록번호`, concat('외래-', r.`접수번호`) AS `내원`
FROM reception r
