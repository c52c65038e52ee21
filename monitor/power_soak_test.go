//go:build soak

package monitor

const powerSeeds = 20
