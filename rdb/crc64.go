package rdb

import (
	"encoding/binary"
	"hash/crc64"
)

// The polynomial of Jones, bit-reversed. The standard library inverts the sum
// before and after, Redis does not, so only the table is taken from there.
const jones = 0x95ac9329ac4bc9b5

// crcTables are for eight bytes a step: table k has the sums of a byte that k
// zero bytes follow. They are constant once made.
var crcTables = makeCRCTables()

func makeCRCTables() *[8][256]uint64 {
	t := &[8][256]uint64{*crc64.MakeTable(jones)}
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
	for len(p) >= 8 {
		sum ^= binary.LittleEndian.Uint64(p)
		sum = t[7][byte(sum)] ^ t[6][byte(sum>>8)] ^ t[5][byte(sum>>16)] ^ t[4][byte(sum>>24)] ^
			t[3][byte(sum>>32)] ^ t[2][byte(sum>>40)] ^ t[1][byte(sum>>48)] ^ t[0][sum>>56]
		p = p[8:]
	}
	for _, b := range p {
		sum = t[0][byte(sum)^b] ^ sum>>8
	}
	return sum
}
