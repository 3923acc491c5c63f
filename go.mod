module dozo

go 1.26
