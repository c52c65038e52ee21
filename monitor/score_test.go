package monitor

import (
	"math"
	"testing"
)

func stratum(s uint8) Exchange {
	return Exchange{Outcome: OutcomeOK, Stratum: s, T1: 1e9, T4: 2e9, T2: 1, T3: 2}
}

func TestPoolStep(t *testing.T) {
	const none = noCap
	tests := []struct {
		name      string
		x         Exchange
		offset    float64
		unknown   bool
		step, cap float64
	}{
		{name: "timeout", x: Exchange{Outcome: OutcomeTimeout}, unknown: true, step: -5, cap: none},
		{name: "closed port", x: Exchange{Outcome: OutcomeRefused}, unknown: true, step: -5, cap: none},
		{name: "unreachable", x: Exchange{Outcome: OutcomeUnreachable}, unknown: true, step: -5, cap: none},
		{name: "wrong origin", x: Exchange{Outcome: OutcomeStray}, unknown: true, step: -5, cap: none},
		{name: "mode 3", x: Exchange{Outcome: OutcomeInvalid, Rejected: true, Stratum: 1}, step: -5, cap: none},
		{name: "RATE without transmit time", x: Exchange{Outcome: OutcomeRateLimited, Rejected: true}, step: -5, cap: none},
		{name: "DENY without transmit time", x: Exchange{Outcome: OutcomeDenied, Rejected: true}, step: -5, cap: none},
		{name: "stratum 17", x: Exchange{Outcome: OutcomeInvalid, Stratum: 17}, step: -4, cap: none},
		{name: "kiss XYZ", x: Exchange{Outcome: OutcomeInvalid, Kiss: "XYZ"}, step: -4, cap: none},
		{name: "version 7", x: Exchange{Outcome: OutcomeInvalid, Stratum: 1}, offset: 0.05, step: 0.83365, cap: none},
		{name: "no receive time", x: Exchange{Outcome: OutcomeInvalid, Stratum: 1, T3: 1}, offset: -1e9, step: -4, cap: -20},
		{name: "T3 before T2", x: Exchange{Outcome: OutcomeOK, Stratum: 1, T2: 2, T3: 1}, step: -5, cap: none},
		{name: "RATE", x: Exchange{Outcome: OutcomeRateLimited, Kiss: "RATE"}, unknown: true, step: -3.5, cap: none},
		{name: "DENY", x: Exchange{Outcome: OutcomeDenied, Kiss: "DENY"}, unknown: true, step: -10, cap: -50},
		{name: "INIT", x: Exchange{Outcome: OutcomeUnsynchronized, Kiss: "INIT"}, unknown: true, step: -4, cap: none},
		{name: "stratum 16", x: Exchange{Outcome: OutcomeUnsynchronized, Stratum: 16}, offset: 0, step: -4, cap: none},
		{name: "stratum 11", x: stratum(11), step: -4, cap: none},
		{name: "leap 3 alone", x: Exchange{Outcome: OutcomeUnsynchronized, Leap: 3, Stratum: 2}, offset: 0.001, step: 1, cap: none},
		{name: "no offset", x: stratum(2), unknown: true, step: -4, cap: none},
		{name: "5 s", x: stratum(2), offset: 5, step: -4, cap: -20},
		{name: "-5 s, stratum 9", x: stratum(9), offset: -5, step: -4, cap: -20},
		{name: "3 s", x: stratum(2), offset: 3, step: -2, cap: none},
		{name: "stratum 8", x: stratum(8), step: -4, cap: none},
		{name: "stratum 7", x: stratum(7), step: 1, cap: none},
		{name: "751 ms", x: stratum(2), offset: -0.751, step: -2, cap: none},
		{name: "750 ms", x: stratum(2), offset: 0.75, step: -1.0, cap: none},
		{name: "317 ms", x: stratum(2), offset: 0.317, step: -0.000636, cap: none},
		{name: "120 ms", x: stratum(2), offset: 0.120, step: 0.45404, cap: none},
		{name: "100 ms", x: stratum(2), offset: 0.100, step: 0.5003, cap: none},
		{name: "50 ms", x: stratum(2), offset: -0.050, step: 0.83365, cap: none},
		{name: "25.02 ms", x: stratum(2), offset: 0.02502, step: 1, cap: none},
		{name: "25 ms", x: stratum(2), offset: 0.025, step: 1, cap: none},
		{name: "right", x: stratum(1), offset: 0, step: 1, cap: none},
	}
	for _, tt := range tests {
		step, limit := poolStep(tt.x, tt.offset, !tt.unknown)
		if math.Abs(step-tt.step) > 1e-9 || limit != tt.cap {
			t.Errorf("%s: step %v cap %v, want %v cap %v", tt.name, step, limit, tt.step, tt.cap)
		}
	}
}

func TestPoolScore(t *testing.T) {
	score := 0.0
	good := 0
	for score < 10 {
		score = poolScore(score, 1, noCap)
		good++
	}
	if good != 14 {
		t.Errorf("%d good checks to reach 10, want 14", good)
	}
	for range 1000 {
		score = poolScore(score, 1, noCap)
	}
	if math.Abs(score-20) > 1e-6 {
		t.Errorf("fixed point %v, want 20", score)
	}
	if score = poolScore(score, stepNoReply, noCap); math.Abs(score-14) > 1e-6 {
		t.Errorf("after one timeout %v, want 14", score)
	}
	if score = poolScore(score, stepNoReply, noCap); math.Abs(score-8.3) > 1e-6 {
		t.Errorf("after two timeouts %v, want 8.3", score)
	}
	if score = poolScore(20, stepDeny, capDeny); score != -50 {
		t.Errorf("after DENY %v, want -50", score)
	}
	if score = poolScore(20, stepFar, capFar); score != -20 {
		t.Errorf("5 s away %v, want -20", score)
	}
	if score = poolScore(-60, stepFar, capFar); score != -61 {
		t.Errorf("a cap raised the score to %v, want -61", score)
	}
}

func TestLossCount(t *testing.T) {
	var l lossCount
	if _, ok := l.share(); ok {
		t.Error("a share before any exchange")
	}
	l.add(true)
	if got, _ := l.share(); got != 1 {
		t.Errorf("1 of 1: %v", got)
	}
	for range 3 {
		l.add(false)
	}
	if got, _ := l.share(); got != 0.25 {
		t.Errorf("1 of 4: %v", got)
	}
	for range 96 {
		l.add(false)
	}
	if got, _ := l.share(); got != 0.01 {
		t.Errorf("1 of 100: %v", got)
	}
	l.add(false)
	if got, _ := l.share(); got != 0 {
		t.Errorf("the 101st does not push the first one out: %v", got)
	}
	for i := range 200 {
		l.add(i%4 == 0)
	}
	if got, _ := l.share(); got != 0.25 {
		t.Errorf("every fourth: %v", got)
	}
}
