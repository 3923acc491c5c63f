package rdb

import "dozo/object"

// What a type of value is called, and the shape of its body: what it consists of, so
// far as is needed to find its end. A shape is written in letters:
//
//	s      a string
//	l      a length
//	d      eight bytes: a double, or milliseconds
//	i      sixteen bytes: an ID of a stream's entry
//	t      a double as text, behind a byte for its length
//	*(..)  a length, and as many times what is in the parentheses
//	m      what a module wrote: its ID, and parts with a mark before each
type typeInfo struct {
	name  string // as redis-check-rdb has it
	shape string
	of    object.Type
}

// typeTable is all types that were ever in use, by number.
var typeTable = [...]typeInfo{
	TypeString:           {"string", "s", object.String},
	TypeList:             {"list-linked", "*(s)", object.List},
	TypeSet:              {"set-hashtable", "*(s)", object.Set},
	TypeZSet:             {"zset-v1", "*(st)", object.ZSet},
	TypeHash:             {"hash-hashtable", "*(ss)", object.Hash},
	TypeZSet2:            {"zset-v2", "*(sd)", object.ZSet},
	typeModuleEarly:      {name: "module-pre-release"},
	TypeModule:           {"module-value", "m", moduleObject},
	TypeHashZipmap:       {"hash-zipmap", "s", object.Hash},
	TypeListZiplist:      {"list-ziplist", "s", object.List},
	TypeSetIntset:        {"set-intset", "s", object.Set},
	TypeZSetZiplist:      {"zset-ziplist", "s", object.ZSet},
	TypeHashZiplist:      {"hash-ziplist", "s", object.Hash},
	TypeListQuicklist:    {"quicklist", "*(s)", object.List},
	TypeStream:           {"stream", "*(ss)lll" + "*(sll*(idl)*(sd*(i)))", object.Stream},
	TypeHashListpack:     {"hash-listpack", "s", object.Hash},
	TypeZSetListpack:     {"zset-listpack", "s", object.ZSet},
	TypeListQuicklist2:   {"quicklist-v2", "*(ls)", object.List},
	TypeStream2:          {"stream-v2", "*(ss)llllllll" + "*(slll*(idl)*(sd*(i)))", object.Stream},
	TypeSetListpack:      {"set-listpack", "s", object.Set},
	TypeStream3:          {"stream-v3", "*(ss)llllllll" + "*(slll*(idl)*(sdd*(i)))", object.Stream},
	typeHashDatedEarly:   {"hash-hashtable-md-pre-release", "*(lss)", object.Hash},
	typeHashDatedLPEarly: {"hash-listpack-md-pre-release", "s", object.Hash},
	TypeHashDated:        {"hash-hashtable-md", "d*(lss)", object.Hash},
	TypeHashDatedLP:      {"hash-listpack-md", "ds", object.Hash},
}

// Values of modules, which cannot be read without the module.
const (
	typeModuleEarly Type = 6
	TypeModule      Type = 7

	moduleObject object.Type = 5
)

// Known tells whether there is, or was, such a type.
func (t Type) Known() bool { return int(t) < len(typeTable) && typeTable[t].name != "" }

// String is the name that redis-check-rdb has for the type.
func (t Type) String() string {
	if !t.Known() {
		return "unknown"
	}
	return typeTable[t].name
}

// Object is the type of the values that are written so.
func (t Type) Object() object.Type { return typeTable[t].of }

// op is a part of a shape. The numbers of rounds of the loops that are under way lie
// in registers, by depth.
type op struct {
	kind opKind
	n    uint8 // of bytes, for opFixed; where to go on, for the others
}

type opKind uint8

const (
	opEnd    opKind = iota
	opString        // a string
	opLen           // a length
	opFixed         // n bytes
	opScore         // a byte and as many bytes as it says
	opCount         // a length: the rounds of a loop, whose end is at n
	opRound         // the end of a round; the loop's first op is at n
	opModule        // the mark of a part
	opJump          // go on at n
)

const (
	doubleBytes = 8
	loopsMax    = 3 // the depth of loops
)

// shapes are the types' shapes. They are constant once made.
var shapes = compileShapes()

func compileShapes() (all [len(typeTable)][]op) {
	for t, info := range typeTable {
		if info.shape != "" {
			all[t] = compileShape(info.shape)
		}
	}
	return all
}

func compileShape(shape string) (p []op) {
	var loops []int
	for _, letter := range shape {
		switch letter {
		case 's':
			p = append(p, op{kind: opString})
		case 'l':
			p = append(p, op{kind: opLen})
		case 'd':
			p = append(p, op{opFixed, doubleBytes})
		case 'i':
			p = append(p, op{opFixed, 2 * doubleBytes})
		case 't':
			p = append(p, op{kind: opScore})
		case '*':
			loops = append(loops, len(p))
			p = append(p, op{kind: opCount})
		case ')':
			start := loops[len(loops)-1]
			loops = loops[:len(loops)-1]
			p[start].n = uint8(len(p) + 1)
			p = append(p, op{opRound, uint8(start + 1)})
		case 'm':
			p = append(p, modulePart...)
		}
	}
	return append(p, op{kind: opEnd})
}

// The marks of the parts of what a module wrote.
const (
	markEnd = iota
	markSigned
	markUnsigned
	markFloat
	markDouble
	markString
)

// modulePart is a module's ID and the parts, to each of which opModule jumps.
var modulePart = []op{
	{kind: opLen},
	{kind: opModule},
	{kind: opLen}, {opJump, moduleMark},
	{opFixed, 4}, {opJump, moduleMark},
	{opFixed, doubleBytes}, {opJump, moduleMark},
	{kind: opString}, {opJump, moduleMark},
	{kind: opEnd},
}

// moduleMark is where opModule is in the shape.
const moduleMark = 1

// moduleJumps is where in the shape the part behind each mark is.
var moduleJumps = [...]uint8{markEnd: 10, markSigned: 2, markUnsigned: 2, markFloat: 4, markDouble: 6, markString: 8}
