SELECT *, CAST(`원점수` AS DOUBLE) / 2 AS `점수` FROM surveys
