SELECT p.*, replace(p.`총진료비`, ',', '') AS `총액`, replace(p.`본인부담금`, ',', '') AS `본인부담`
FROM payment p
