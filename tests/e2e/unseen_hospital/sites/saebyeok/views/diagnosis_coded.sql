SELECT d.*, concat_ws('.', d.`대분류`, d.`세분류`) AS `KCD코드`
FROM diagnosis d
