package web

import (
	"math"
	"strconv"
)

// pen writes a path. Its coordinates are rounded to a tenth of a unit and, but for the
// first, told from where the pen is: of long paths that is half.
type pen struct {
	out  []byte
	x, y int  // tenths of a unit
	last byte // the command that numbers would repeat
}

func tenths(v float64) int { return int(math.Round(min(max(v, -plotMost), plotMost) * 10)) }

// move starts a stroke.
func (p *pen) move(x, y float64) {
	command := byte('m')
	if len(p.out) == 0 {
		command = 'M'
	}
	p.to(command, x, y)
}

// line draws one on to a point.
func (p *pen) line(x, y float64) { p.to('l', x, y) }

func (p *pen) to(command byte, x, y float64) {
	toX, toY := tenths(x), tenths(y)
	first := command != 'l' || command != p.last
	if first {
		p.out = append(p.out, command)
	}
	p.last = command
	p.number(toX-p.x, first)
	p.number(toY-p.y, false)
	p.x, p.y = toX, toY
}

// down draws a line down to y, or a dot where that is no way: a stroke of no length has
// round caps.
func (p *pen) down(y float64) {
	to := tenths(y)
	if p.last = 0; to == p.y {
		p.out = append(p.out, "h0"...)
		return
	}
	p.out = append(p.out, 'v')
	p.number(to-p.y, true)
	p.y = to
}

// number writes tenths. A minus, and nothing before the first of a command, parts it
// from what is before it.
func (p *pen) number(n int, first bool) {
	if n < 0 {
		p.out = append(p.out, '-')
		n = -n
	} else if !first {
		p.out = append(p.out, ' ')
	}
	if n >= 10 || n == 0 {
		p.out = strconv.AppendInt(p.out, int64(n/10), 10)
	}
	if n%10 != 0 {
		p.out = append(p.out, '.', byte('0'+n%10))
	}
}

// path is what was drawn.
func (p *pen) path() string { return string(p.out) }
