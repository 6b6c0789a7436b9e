SELECT b.*, regexp_replace(b.`내원`, '^0+', '') AS `내원번호`
FROM bedside b
