SELECT * FROM symptoms WHERE substr(`상병코드`, 1, 1) = 'R'
