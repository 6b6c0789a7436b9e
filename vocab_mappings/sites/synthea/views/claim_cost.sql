-- One row a claim: what was charged and what was paid for it, over all of its transactions.
-- Money handed on from one party to the next (TRANSFERIN, TRANSFEROUT) is neither.
SELECT c._file, c._row, c._key, c.Id, c.APPOINTMENTID, c.HEALTHCARECLAIMTYPEID1,
       s.N_TRANSACTIONS, s.CHARGED, s.PAID, s.COPAID
FROM claims c
LEFT JOIN (
  SELECT CLAIMID,
         COUNT(*) AS N_TRANSACTIONS,
         SUM(CASE WHEN TYPE = 'CHARGE' THEN TRY_CAST(AMOUNT AS DECIMAL(18, 2)) END) AS CHARGED,
         SUM(TRY_CAST(PAYMENTS AS DECIMAL(18, 2))) AS PAID,
         SUM(CASE WHEN METHOD = 'COPAY' THEN TRY_CAST(PAYMENTS AS DECIMAL(18, 2)) END) AS COPAID
  FROM claims_transactions
  GROUP BY CLAIMID
) s ON s.CLAIMID = c.Id
