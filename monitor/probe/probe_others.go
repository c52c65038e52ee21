//go:build !linux

package probe

// share takes the plain path: kernel stamps are taken on Linux only.
func (p *Prober) share() { p.dial = dialPlain }
