-- One row a person and year, with the middle of the birth years that all of the person's five-year age groups allow.
-- Group 0 is age 0, 1 is 1 to 4, 2 is 5 to 9, and so on; 18 is 85 and over, taken as 85 to 94.
SELECT j.*,
       CAST(FLOOR((MAX(j.EARLIEST) OVER (PARTITION BY j.PERSON_ID)
                 + MIN(j.LATEST) OVER (PARTITION BY j.PERSON_ID)) / 2) AS INT) AS BIRTH_YEAR
FROM (
  SELECT k.*,
         CAST(k.STND_Y AS INT) - CASE k.AGE_GROUP WHEN '0' THEN 0 WHEN '1' THEN 4 WHEN '18' THEN 94
                                 ELSE CAST(k.AGE_GROUP AS INT) * 5 - 1 END AS EARLIEST,
         CAST(k.STND_Y AS INT) - CASE k.AGE_GROUP WHEN '0' THEN 0 WHEN '1' THEN 1
                                 ELSE CAST(k.AGE_GROUP AS INT) * 5 - 5 END AS LATEST
  FROM jk k
) j
