package network

import "testing"

// For tests of those who change the settings of a network.

// World is a cable's other end.
type World = world

// InOwnNamespace is inOwnNamespace.
func InOwnNamespace(t *testing.T, f func(t *testing.T)) { inOwnNamespace(t, f) }

// Build is build.
func Build(t *testing.T) *World { return build(t) }

// Far is far.
func (w *world) Far(f func() error) { w.far(f) }

// Start runs a Manager that does not take as long as usual.
func Start(t *testing.T, o Options) *Manager { return start(t, o).m }
