-- One row a filled cell of the health check. `stack` instead of UNPIVOT: engines differ on empty cells.
SELECT i.*
FROM (
  SELECT g._file, g._row, g.PERSON_ID, g.HCHK_YEAR,
         stack(16,
           'HEIGHT',        g.HEIGHT,        'cm',     'number',
           'WEIGHT',        g.WEIGHT,        'kg',     'number',
           'WAIST',         g.WAIST,         'cm',     'number',
           'BP_HIGH',       g.BP_HIGH,       'mm[Hg]', 'number',
           'BP_LWST',       g.BP_LWST,       'mm[Hg]', 'number',
           'BLDS',          g.BLDS,          'mg/dL',  'number',
           'TOT_CHOLE',     g.TOT_CHOLE,     'mg/dL',  'number',
           'TRIGLYCERIDE',  g.TRIGLYCERIDE,  'mg/dL',  'number',
           'HDL_CHOLE',     g.HDL_CHOLE,     'mg/dL',  'number',
           'LDL_CHOLE',     g.LDL_CHOLE,     'mg/dL',  'number',
           'HMG',           g.HMG,           'g/dL',   'number',
           'CREATININE',    g.CREATININE,    'mg/dL',  'number',
           'SGOT_AST',      g.SGOT_AST,      'U/L',    'number',
           'SGPT_ALT',      g.SGPT_ALT,      'U/L',    'number',
           'OLIG_PROTE_CD', g.OLIG_PROTE_CD, NULL,     'grade',
           'SMK_STAT_TYPE_RSPS_CD', g.SMK_STAT_TYPE_RSPS_CD, NULL, 'answer') AS (ITEM, RESULT, UNIT, KIND)
  FROM gj g
) i
WHERE i.RESULT IS NOT NULL
