-- One row a day and thing measured. `stack` instead of UNPIVOT: engines differ on empty cells.
SELECT i.*
FROM (
  SELECT l._file, l._row, l.patient_id, l.date,
         stack(3,
           'steps',              l.steps,              NULL,
           'sleep_hours',        l.sleep_hours,        'h',
           'resting_heart_rate', l.resting_heart_rate, 'bpm') AS (item, value, unit)
  FROM lifelog l
) i
WHERE i.value IS NOT NULL
