//go:build !linux

package flash

import "errors"

var errLinux = errors.New("cards are written on Linux only; elsewhere use Raspberry Pi Imager or Etcher with the image file")

// Host is the system this runs on.
func Host() (System, error) { return System{}, errLinux }

// Open opens a disk.
func Open(string) (Device, error) { return nil, errLinux }
