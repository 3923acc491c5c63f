package quicklist

// MergeAsRedis70 merges nodes with its mistake in their size.
func (l *List) MergeAsRedis70() { l.limits.mergeSaves = 11 }
