//go:build !linux

package pulse

func urgent() {}
