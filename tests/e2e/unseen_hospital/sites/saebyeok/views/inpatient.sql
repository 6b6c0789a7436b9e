SELECT a.*, concat('입원-', a.`입원번호`) AS `내원`
FROM admission a
