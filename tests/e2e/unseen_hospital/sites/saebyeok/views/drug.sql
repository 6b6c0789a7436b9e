SELECT p.*, lpad(p.`환자번호`, 8, '0') AS `등록번호`
FROM prescription p
