module libus3/us3

go 1.19
