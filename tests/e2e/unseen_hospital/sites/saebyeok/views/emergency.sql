SELECT a.*, concat('응급-', a.`응급번호`) AS `내원`
FROM arrival a
