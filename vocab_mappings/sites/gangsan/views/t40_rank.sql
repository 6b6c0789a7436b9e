-- One row a diagnosis, as the claim that it belongs to ranks it.
SELECT d.*, CASE WHEN d.SICK_SYM = v.MAIN_SICK THEN 'main'
                 WHEN d.SICK_SYM = v.SUB_SICK THEN 'sub' END AS DX_RANK
FROM t40 d
LEFT JOIN t20 v ON v.KEY_SEQ = d.KEY_SEQ
