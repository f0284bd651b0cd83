package main

// noReconfig is why some tests are known to fail.
const noReconfig = "Quorate's ensemble is what the server lines of zoo.cfg say: there is no dynamic reconfiguration"

// known are the tests, by suite, that pass on ZooKeeper and not on Quorate, and
// why. A test that is here and passes is a mistake too.
var known = map[string]map[string]string{
	"go-zookeeper": {
		"TestIntegration_IncrementalReconfig": noReconfig,
		"TestIntegration_Reconfig":            noReconfig,
	},
	"kazoo": {
		"test_client TestReconfig.test_add_remove_observer": noReconfig,
		"test_client TestReconfig.test_bad_input":           noReconfig,
		"test_client TestReconfig.test_no_super_auth":       noReconfig,
	},
}

// staleKnown lists the known failures that have not failed.
func (r Results) staleKnown() []string {
	var stale []string
	for suite, tests := range known {
		if r[suite] == nil {
			continue
		}
		for test := range tests {
			if r[suite].Tests[test][Ours].Outcome == Pass {
				stale = append(stale, suite+" "+test)
			}
		}
	}
	return stale
}
