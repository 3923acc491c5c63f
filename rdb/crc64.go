package rdb

import (
	"encoding/binary"
	"hash/crc64"
)

// The polynomial of Jones, bit-reversed. The standard library inverts the sum
// before and after, Redis does not, so only the table is taken from there.
const jones = 0x95ac9329ac4bc9b5

// crcStep is how many bytes a step takes, all looked up at once.
const crcStep = 16

// crcTables has for each byte of a step the sums of what it can be: table k those of a
// byte that k zero bytes follow. They are constant once made.
var crcTables = makeCRCTables()

func makeCRCTables() *[crcStep][256]uint64 {
	t := &[crcStep][256]uint64{*crc64.MakeTable(jones)}
	for k := 1; k < len(t); k++ {
		for i, sum := range t[k-1] {
			t[k][i] = t[0][byte(sum)] ^ sum>>8
		}
	}
	return t
}

// CRC64 continues the checksum of RDB files and DUMP payloads over p; it starts
// from 0.
func CRC64(sum uint64, p []byte) uint64 {
	t := crcTables
	for ; len(p) >= crcStep; p = p[crcStep:] {
		x, y := sum^binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[8:])
		sum = t[15][byte(x)] ^ t[14][byte(x>>8)] ^ t[13][byte(x>>16)] ^ t[12][byte(x>>24)] ^
			t[11][byte(x>>32)] ^ t[10][byte(x>>40)] ^ t[9][byte(x>>48)] ^ t[8][x>>56] ^
			t[7][byte(y)] ^ t[6][byte(y>>8)] ^ t[5][byte(y>>16)] ^ t[4][byte(y>>24)] ^
			t[3][byte(y>>32)] ^ t[2][byte(y>>40)] ^ t[1][byte(y>>48)] ^ t[0][y>>56]
	}
	for _, b := range p {
		sum = t[0][byte(sum)^b] ^ sum>>8
	}
	return sum
}
