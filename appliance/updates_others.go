//go:build !linux

package main

import "errors"

// thisMachine is no station: images run Linux.
func thisMachine() machine {
	return machine{
		open:    func(string, bool) (partition, error) { return nil, errors.ErrUnsupported },
		sticks:  func(string) []stick { return nil },
		restart: func(string) error { return errors.ErrUnsupported },
	}
}

func freeBytes(string) (int64, error) { return 0, errors.ErrUnsupported }
