package stream

// RadixNodes is radix-tree-nodes of XINFO STREAM: how many nodes Redis' tree of the
// same keys has. That tree has a node for each run of bytes without a branch, for
// each branch, and for each key; so the number follows from how many bytes
// neighbouring keys have in common. It costs a step a node.
func (s *Stream) RadixNodes() int {
	if s.Nodes() == 0 {
		return 1
	}
	var branches [IDSize]int // depths of the branches on the way to the last key
	open := 0                // how many they are
	n := 0
	// edge counts the run of bytes between a branch and what is at depth to.
	edge := func(to int) {
		from := 0
		if open > 0 {
			from = branches[open-1] + 1
		}
		if to > from {
			n++
		}
	}
	x := s.index()
	at := x.ceil(ID{})
	for last := at.pair().key; ; {
		n++ // the key itself
		at = x.after(at)
		common := -1 // nothing is in common with the end
		if at.ok() {
			common = commonBytes(last, at.pair().key)
		}
		depth := IDSize
		for {
			if open > 0 && branches[open-1] >= common {
				edge(depth)
				if depth = branches[open-1]; depth == common {
					break
				}
				open--
				n++
				continue
			}
			if common < 0 {
				edge(depth)
				return n
			}
			branches[open] = common
			open++
			edge(depth)
			break
		}
		last = at.pair().key
	}
}

// commonBytes is how many bytes two keys begin with alike.
func commonBytes(a, b ID) int {
	if a.Ms != b.Ms {
		return zeroBytes(a.Ms ^ b.Ms)
	}
	return 8 + zeroBytes(a.Seq^b.Seq)
}

func zeroBytes(v uint64) (n int) {
	for ; v>>56 == 0 && n < 8; n++ {
		v <<= 8
	}
	return n
}
