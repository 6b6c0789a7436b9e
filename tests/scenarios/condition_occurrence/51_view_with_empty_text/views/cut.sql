SELECT _file, _row, `번호`, replace(`환자번호`, ':', '') AS `환자`, split(`상병코드`, ':')[1] AS `코드`,
       replace(`진단일`, ':', ' ') AS `일자`
FROM diagnoses
