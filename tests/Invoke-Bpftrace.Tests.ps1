# bpftrace beside applications, in sessions on the tools image.

BeforeDiscovery {
    . (Join-Path $PSScriptRoot 'bpftrace.ps1')
    $script:missing = Test-BpftraceMissing
}

BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace
    $script:image = 'pydebug.test/debug-tools:1'

    # An application that opens a file ten times a second in a thread of its own, and forks a child that does so too.
    $script:opener = @'
import os, threading, time
if os.fork() == 0:
    while True:
        open("/srv/child,a\nb", "a").close()
        time.sleep(0.1)
def opens():
    while True:
        open("/etc/hostname").close()
        time.sleep(0.1)
threading.Thread(target=opens, name="opener").start()
print("ready", flush=True)
while True:
    time.sleep(1)
'@

    function Get-Opener([string] $Namespace) {
        New-TestPod $Namespace -Command 'python3', '-u', '-c', $script:opener -ReadyLog 'ready'
    }
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'Invoke-Bpftrace' -Skip:$script:missing {
    BeforeAll {
        $script:pod = Get-Opener $script:ns
        # Another pod that does the same: none of its events may be seen.
        $script:other = Get-Opener $script:ns
        $script:session = Start-PodDebug $script:pod -Namespace $script:ns -For Bpftrace -Image $script:image
        $script:opens =
            'tracepoint:syscalls:sys_enter_openat { printf("%d %d %s %s\n", pid, tid, comm, str(args.filename)); }'
    }

    Context 'the program' {
        It 'writes what it prints, with the numbers of the pod, and of the target alone' {
            $events = @($script:session | Invoke-Bpftrace -Program $script:opens -DurationSeconds 3)
            $events[0] | Should -BeOfType PyDebug.BpftraceEvent
            $events[0].PodName | Should -Be $script:pod
            $events.Kind | Select-Object -Unique | Should -Be 'Print'
            $hostname = @($events | Where-Object Text -Match '/etc/hostname')
            # Ten a second for three seconds.
            $hostname.Count | Should -BeGreaterThan 22
            $hostname.Count | Should -BeLessThan 34
            $hostname.Text |
                ForEach-Object { $_ -match '^1 (\d+) ' | Should -BeTrue; $Matches[1] | Should -Not -Be '1' }
            $child = @($events | Where-Object Text -Match 'child')
            $child.Count | Should -BeGreaterThan 22
            $child.Count | Should -BeLessThan 34
            $child[0].Text | Should -Match '^(\d+) \1 python3 /srv/child,a\u240ab$'
        }

        It 'keeps letters of every alphabet, and tells of a read that failed' {
            $program = 'BEGIN { @["größe"] = 2; printf("naïve\n"); $x = *(uint64 *)0x10; printf("%d\n", $x); exit(); }'
            $records = @($script:session | Invoke-Bpftrace -Program $program -Scope Node -WV said -WA SilentlyContinue)
            @($records | Where-Object Kind -EQ 'Print').Text | Should -Be 'naïve', '0'
            ($records | Where-Object Map -EQ '@').Keys | Should -Be 'größe'
            "$said" | Should -Match 'Line 1, column \d+: a read gave nothing \(probe_read: Bad address\).*, 1 time\.'
        }

        It 'narrows to the processes that are named' {
            $events = @($script:session | Invoke-Bpftrace -Program $script:opens -DurationSeconds 1 -ProcessId 1)
            $events.Count | Should -BeGreaterThan 5
            $events.Text | Should -Not -Match 'child'
            $child = $script:session | Get-PyProcess | Where-Object ProcessId -ne 1
            $events = @($child | Invoke-Bpftrace -Program $script:opens -DurationSeconds 1)
            $events.Count | Should -BeGreaterThan 5
            $events.Text | Should -Match "^$($child.ProcessId) "
        }

        It 'sees the whole node where it is asked to, and says so' {
            $program =
                'tracepoint:syscalls:sys_enter_openat /str(args.filename) == "/etc/hostname"/ { @[pid] = count(); }'
            $asked = @{ Program = $program; DurationSeconds = 1; Scope = 'Node' }
            $maps = @($script:session | Invoke-Bpftrace @asked -WV said -WA SilentlyContinue)
            $maps.Count | Should -BeGreaterThan 1
            "$said" | Should -Match 'every process of the node'
        }

        It 'writes maps with keys taken apart and typed' {
            $program = ('tracepoint:syscalls:sys_enter_openat { @opens[str(args.filename), pid] = count(); @h = ' +
                'hist(pid); @s[comm] = stats(1); }')
            $maps = @($script:session | Invoke-Bpftrace -Program $program -DurationSeconds 2)
            $row = $maps | Where-Object { $_.Map -eq '@opens' -and $_.Keys[0] -eq '/etc/hostname' }
            $row.Keys | Should -Be '/etc/hostname', 1
            $row.Keys[1] | Should -BeOfType long
            $row.Value | Should -BeGreaterThan 12
            ($maps | Where-Object Map -eq '@opens').Keys | Should -Contain "/srv/child,a`u{240a}b"
            ($maps | Where-Object Map -eq '@h').Buckets.Count | Should -BeGreaterThan 0
            ($maps | Where-Object Map -eq '@s').Average | Should -Be 1
        }

        It 'comes from a file, with arguments' {
            $file = Join-Path $TestDrive 'mine.bt'
            Set-Content -LiteralPath $file `
                -Value "#!/usr/bin/env bpftrace`nBEGIN { printf(`"%d %s\n`", `$1, str(`$2)); exit(); }"
            $event = $script:session | Invoke-Bpftrace -Path $file -Argument 10, '-x'
            $event.Text | Should -Be '10 -x'
        }

        It 'gives bpftrace''s own JSON with -Raw' {
            $lines = @($script:session | Invoke-Bpftrace -Program 'BEGIN { @a[1, "x"] = 5; exit(); }' -Raw)
            ($lines | ConvertFrom-Json | Where-Object type -eq map).data.'@a'.'1,x' | Should -Be 5
        }

        It 'prints the program as it would run with -WhatIf, and runs nothing' {
            $text = $script:session |
                Invoke-Bpftrace -Program 'tracepoint:syscalls:sys_enter_read /pid == 1/ { @ = count(); }' -WhatIf
            $text | Should -Match ('^tracepoint:syscalls:sys_enter_read /\(curtask->nsproxy->mnt_ns->ns\.inum == ' +
                '\d+\) && \(.+ == 1\)/ \{ @ = count\(\); \}\n// attaches 1 probe: tracepoint:syscalls:sys_enter_read$')
        }

        It 'counts what a wildcard would attach with -WhatIf' {
            $text = $script:session | Invoke-Bpftrace -Program ('BEGIN { } tracepoint:syscalls:sys_enter_open*, ' +
                'tracepoint:syscalls:sys_enter_nope* { @ = count(); }') -WhatIf
            $text -match ('// attaches (\d+) probes: BEGIN, tracepoint:syscalls:sys_enter_open\* \((\d+)\), ' +
                'tracepoint:syscalls:sys_enter_nope\* \(0\)$') | Should -BeTrue -Because $text
            # open, openat, openat2, open_by_handle_at, open_tree and what later kernels add.
            [int]$Matches[2] | Should -BeGreaterThan 3
            [int]$Matches[1] | Should -Be ([int]$Matches[2] + 1)
        }

        It 'says what it cost, by probe' {
            $rows = @($script:session | Invoke-Bpftrace -Program ('tracepoint:syscalls:sys_enter_openat { @ = ' +
                'count(); } profile:hz:49 { @p = count(); }') -DurationSeconds 2)
            $cost = ($rows | Where-Object Map -eq '@').Cost
            $cost.Probe | Should -Be 'tracepoint:syscalls:sys_enter_openat', 'profile:hz:49'
            # What the predicate let through is a part of what ran.
            $cost[0].RunCount | Should -BeGreaterOrEqual ($rows | Where-Object Map -eq '@').Value
            $cost[0].Seconds | Should -BeGreaterThan 0
            $cost[0].Seconds | Should -BeLessThan 0.5
            $cost[1].RunCount | Should -BeGreaterThan 40
        }

        It 'survives CLIXML and JSON with nothing lost' {
            $rows = @($script:session | Invoke-Bpftrace `
                -Program 'BEGIN { @a[1, "x"] = 5; @h["k"] = hist(9); @s = stats(3); printf("said\n"); exit(); }')
            $rows.Count | Should -Be 4
            $clixml = [System.Management.Automation.PSSerializer]::Deserialize(
                [System.Management.Automation.PSSerializer]::Serialize($rows))
            ($clixml | ConvertTo-Json -Depth 5) | Should -Be ($rows | ConvertTo-Json -Depth 5)
        }
    }

    Context 'the end' {
        It 'comes by the clock, and its maps arrive' {
            $clock = [System.Diagnostics.Stopwatch]::StartNew()
            $map = $script:session | Invoke-Bpftrace -Program 'profile:hz:49 { @ = count(); } BEGIN { @x = 1; }' `
                -DurationSeconds 2 | Where-Object Map -eq '@x'
            $map.Value | Should -Be 1
            $clock.Elapsed.TotalSeconds | Should -BeGreaterThan 2
            $clock.Elapsed.TotalSeconds | Should -BeLessThan 12
        }

        It 'comes with the pipeline, without waiting for the clock' {
            $clock = [System.Diagnostics.Stopwatch]::StartNew()
            $script:session | Invoke-Bpftrace -Program $script:opens -Continuous | Select-Object -First 2 |
                Should -HaveCount 2
            $clock.Elapsed.TotalSeconds | Should -BeLessThan 20
        }

        It 'comes where the client is gone' {
            $script = @"
`$env:KUBECONFIG = '$($env:KUBECONFIG)'; Import-Module '$(Join-Path $script:ModulePath PyDebug.psd1)'
Start-PodDebug $script:pod -Namespace $script:ns -For Bpftrace -Image $script:image |
    Invoke-Bpftrace -Program '$($script:opens)' -Continuous | ForEach-Object { [Console]::Out.WriteLine('event') }
"@
            $program, $arguments = Get-PwshCommand
            $encoded = [Convert]::ToBase64String([System.Text.Encoding]::Unicode.GetBytes($script))
            $start = [System.Diagnostics.ProcessStartInfo]::new($program)
            @($arguments) + @('-NoProfile', '-NonInteractive', '-EncodedCommand', $encoded) |
                ForEach-Object { $start.ArgumentList.Add($_) }
            $start.RedirectStandardOutput = $true
            $child = [System.Diagnostics.Process]::Start($start)
            try {
                while ($null -ne ($line = $child.StandardOutput.ReadLine()) -and $line -ne 'event') { }
                $line | Should -Be 'event'
                (Get-PodProcessTable $script:ns $script:pod).Command -join ' ' | Should -Match 'bpftrace'
            }
            finally {
                $child.Kill()
                $child.WaitForExit()
            }
            Wait-Until -What 'the end of bpftrace' -Seconds 30 {
                -not (Get-PodProcessTable $script:ns $script:pod | Where-Object Command -Match 'bpftrace')
            } | Out-Null
        }

        It 'comes when the program prints more than was allowed, with a warning' {
            $events = @($script:session | Invoke-Bpftrace -MaximumBytes 4096 -DurationSeconds 60 -WV said `
                -Program 'interval:us:100 { printf("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"); }' -WA SilentlyContinue)
            $events.Count | Should -BeGreaterThan 10
            $events.Count | Should -BeLessThan 100
            "$said" | Should -Match 'more than 4,096 bytes'
        }

        It 'leaves nothing of ours behind' {
            Wait-Until -What 'the end of the agent' { -not (Get-AgentProcess $script:ns $script:pod) } | Out-Null
            (Get-PodProcessTable $script:ns $script:pod).Command -join ' ' | Should -Not -Match 'bpftrace'
            # One that has just ended is the runtime's to collect; an orphan would stay.
            Wait-Until -What 'the last process to be collected' `
                -Seconds 10 { (Get-PodProcessTable $script:ns $script:pod).State -notcontains 'Z' } | Should -BeTrue
        }
    }

    Context 'what is lost' {
        It 'is counted: events that nobody could read' {
            # All at once, before anybody reads.
            $program = 'BEGIN { $i = 0; while ($i < 3000) { printf("%d %s\n", $i, "' + ('a' * 180) +
                '"); $i++; } } interval:ms:300 { exit(); }'
            $events = @($script:session | Invoke-Bpftrace -Program $program -WV said -WA SilentlyContinue)
            "$said" -match '([\d,]+) events came faster' | Should -BeTrue
            [int]($Matches[1] -replace ',') + $events.Count | Should -Be 3000
        }

        It 'is counted: keys for which a map had no room, with the line that wrote them' {
            $program = "BEGIN {`n  `$i = 0; while (`$i < 40) { @m[`$i] = 1; `$i++; }`n  exit(); }"
            $rows = @($script:session | Invoke-Bpftrace -Program $program -MaximumKeys 16 -WV said -WA SilentlyContinue)
            $rows.Count | Should -Be 16
            "$said" | Should -Match ('Line 2, column \d+: a map was full and took no more keys \(-MaximumKeys is ' +
                '16\), 24 times')
        }
    }

    Context 'a program that cannot run' {
        It 'is answered with its place: <Id>' -ForEach @(
            @{ Id = 'ProgramInvalid'; Text = ("BEGIN { }`ntracepoint:syscalls:sys_enter_read /pid == 1/ { " +
                "printf(`"%d\n`", foo); }"); Says = "Line 2, column 64: Unknown identifier: 'foo'" }
            @{ Id = 'ProgramInvalid'; Text = 'BEGIN { @ = count( }'; Says = 'Line 1, column 20: syntax error' }
            @{ Id = 'ProgramInvalid'; Text = 'BEGIN { system("ls"); }';
                Says = 'Line 1, column 9: system\(\) is an unsafe function' }
            @{ Id = 'ProbeUnavailable'; Text = "BEGIN { }`n`ntracepoint:syscalls:sys_enter_nope { }";
                Says = 'Line 3: tracepoint not found' }
            @{ Id = 'ProbeUnavailable'; Text = 'uprobe:/nope:malloc { }'; Says = "'/nope' does not exist" }
            @{ Id = 'ProgramRejected'; Text = ('tracepoint:syscalls:sys_enter_openat { $i = 0; $p = (uint64)curtask; ' +
                'while ($i < 600) { $p = *(uint64 *)kptr($p + 8) + $p * 3; @x[$p] = ($p, $i); $i++; } }');
                Says = 'Error loading BPF program' }
        ) {
            $found = Get-Failure { $script:session | Invoke-Bpftrace -Program $Text -DurationSeconds 2 }
            Get-ErrorId $found.First | Should -Be $Id
            "$($found.First)" | Should -Match $Says
            $found.Output | Should -BeNullOrEmpty
        }

        It 'is refused with its line where it cannot be narrowed to the target' {
            { $script:session | Invoke-Bpftrace -Program "BEGIN { }`ntracepoint:irq:softirq_entry { @ = count(); }" } |
                Should -Throw -ErrorId 'ProbeNotScoped*' -ExpectedMessage 'Line 2: tracepoint:irq:softirq_entry*'
        }

        It 'is answered before a pod is asked: <Because>' -ForEach @(
            @{ Because = 'no program'; Parameters = @{ } }
            @{ Because = 'two programs'; Parameters = @{ Program = 'BEGIN { }'; Path = 'x.bt' } }
            @{ Because = 'two ends'; Parameters = @{ Program = 'BEGIN { }'; Continuous = $true; DurationSeconds = 3 } }
        ) {
            { $script:session | Invoke-Bpftrace @Parameters } | Should -Throw -ErrorId 'ParameterInvalid*'
        }
    }

    Context 'the scripts' {
        BeforeAll {
            $program = Get-Content -Raw -LiteralPath (Join-Path $PSScriptRoot 'provoke.py')
            $script:provoked = New-TestPod $script:ns -Command 'python3', '-u', '-c', $program -ReadyLog 'ready'
            $script:on = Start-PodDebug $script:provoked -Namespace $script:ns -For Bpftrace -Image $script:image
        }

        It 'are listed, with what they show' {
            $scripts = @(Invoke-Bpftrace -ListScripts)
            $scripts.Count | Should -BeGreaterThan 12
            $scripts[0] | Should -BeOfType PyDebug.BpftraceScript
            $scripts | ForEach-Object {
                $_.Synopsis | Should -Match '^[A-Z].*\.$'
                $_.Columns.Count | Should -BeGreaterThan 0
                $_.Probes.Count | Should -BeGreaterThan 0
            }
            ($scripts | Where-Object Name -eq 'CpuThread').Profile | Should -Be 'Trace'
        }

        It 'complete their names' {
            $line = 'Invoke-Bpftrace -Script fil'
            $found = [System.Management.Automation.CommandCompletion]::CompleteInput($line, $line.Length, $null)
            $found.CompletionMatches.CompletionText | Should -Be 'FileOpen'
        }

        It 'are each tested below' {
            $own = Get-Content -Raw -LiteralPath $PSCommandPath
            $tested = [regex]::Matches($own, "Script = '(\w+)'").ForEach({ $_.Groups[1].Value })
            (Invoke-Bpftrace -ListScripts).Name | Sort-Object | Should -Be ($tested | Sort-Object -Unique)
        }

        It 'refuse a name that is none, and say which there are' {
            { $script:on | Invoke-Bpftrace -Script Nope } |
                Should -Throw -ErrorId 'ParameterInvalid*' -ExpectedMessage '*There are CpuThread*'
        }

        It 'see what the application does: <Script>' -ForEach @(
            @{ Script = 'SyscallCount'; Sees = { $_.Call -eq 'fsync' -and $_.Value -gt 2 } }
            @{ Script = 'SyscallTime'; Sees = { $_.Call -eq 'clock_nanosleep' -and $_.Average -gt 80000 } }
            @{ Script = 'CpuThread'; Sees = { $_.ProcessId -eq 1 -and $_.Value -gt 30 -and $_.Thread -like 'python3*' }}
            @{ Script = 'OffCpu'; Sees = { $_.Map -eq '@blocked' -and $_.ProcessId -eq 1 -and $_.Total -gt 1000000 } }
            @{ Script = 'RunQueue'; Sees = { $_.Map -eq '@wait' -and $_.ProcessId -eq 1 -and $_.Count -gt 5 } }
            @{ Script = 'LockWait'; Sees = { $_.Map -eq '@wait' -and $_.ProcessId -eq 1 -and $_.Average -gt 2000 -and
                $_.Total -gt 500000 } }
            @{ Script = 'FileOpen'; Sees = { $_.Path -eq '/srv/nope.json' -and $_.Error -eq 'ENOENT' -and
                $_.ProcessId -eq 1 -and $_.ThreadId -gt 1 } }
            @{ Script = 'SlowFileIo'; Arguments = '1'; Sees = { $_.File -eq 'big' -and $_.Milliseconds -ge 1 } }
            @{ Script = 'TcpConnect'; Sees = { $_.Port -eq 9009 -and -not $_.Failed -and $_.Address -eq '127.0.0.1' } }
            @{ Script = 'TcpConnect'; Sees = { $_.Failed -and $_.Port -ne 9009 } }
            @{ Script = 'DnsLookup'; Sees = { $_.Host -eq 'no such name' -and $_.Failed } }
            @{ Script = 'PageFault'; Sees = { $_.Map -eq '@faults' -and $_.ProcessId -eq 1 -and $_.Value -gt 100 } }
            @{ Script = 'PageFault'; Sees = { $_.Map -eq '@last' -and $_.ProcessId -eq 1 -and $_.Value -gt 1MB } }
            @{ Script = 'ProcessEnd'; Sees = { $_.ExitCode -eq 7 -and $null -eq $_.Signal -and $_.Text -match '^ends' }}
            @{ Script = 'ProcessEnd'; Sees = { $_.Signal -eq 15 -and $_.Text -match '^ends' } }
            @{ Script = 'PythonGc'; Sees = { $_.Generation -eq 2 -and $_.Milliseconds -gt 0 } }
            @{ Script = 'PythonImport'; Sees = { $_.Module -eq 'colorsys' -and $_.Found -and $_.Milliseconds -gt 0 } }
        ) {
            $more = $_.ContainsKey('Arguments') ? @{ Argument = $_.Arguments } : @{}
            $rows = @($script:on | Invoke-Bpftrace -Script $Script -DurationSeconds 3 @more -WarningVariable said)
            # Two processors may want the same new key at the same moment: that costs one value, and is said.
            @($said) -notmatch 'a value was not counted' | Should -BeNullOrEmpty
            @($rows | Where-Object $Sees).Count |
                Should -BeGreaterThan 0 -Because ($rows | Select-Object -First 20 | Out-String)
        }

        It 'see what a memory limit makes of it: <Script>' -ForEach @(
            @{ Script = 'MemoryPressure' }
        ) {
            $program = Get-Content -Raw -LiteralPath (Join-Path $PSScriptRoot 'provoke.py')
            # The second container's limit makes room in the pod for bpftrace; what that one uses is not known from
            # here. The application is at its own limit every other moment, that of the start among them.
            $containers = @(
                New-TestContainer -Command 'python3', '-u', '-c', $program, 'pressure' -MemoryLimit 96Mi
                New-TestContainer -Name spare -MemoryLimit 600Mi
            )
            $pod = New-TestPod $script:ns -Containers $containers
            $session = Start-PodDebug $pod -Namespace $script:ns -ContainerName web -For Bpftrace -Image $script:image `
                -AllowLowMemory -WarningAction SilentlyContinue
            $rows = @($session | Invoke-Bpftrace -Script $Script -DurationSeconds 6 -AllowLowMemory)
            @($rows | Where-Object { $_.Map -eq '@reclaim' -and $_.Count -gt 3 }).Count |
                Should -BeGreaterThan 0 -Because ($rows | Out-String)
            @($rows | Where-Object { $_.Victim -gt 1 -and $_.Text -match 'out of memory' }).Count |
                Should -BeGreaterThan 0 -Because ($rows | Out-String)
        }

        It 'lead on to the stacks of the process that was seen' {
            $event = $script:on | Invoke-Bpftrace -Script FileOpen -DurationSeconds 2 | Where-Object ProcessId -eq 1 |
                Select-Object -First 1
            $stacks = @($event | Get-PyStack)
            $stacks.ProcessId | Select-Object -Unique | Should -Be 1
            $stacks.Frames.Name | Should -Contain 'again'
            @($event | ConvertTo-Json | ConvertFrom-Json | Get-PyStack).Count | Should -BeGreaterThan 5
        }
    }

    Context 'what it needs' {
        It 'is named where the image has no bpftrace' {
            $session = Start-PodDebug $script:other -Namespace $script:ns -For Bpftrace -Image pydebug.test/badapp:1 `
                -WarningAction SilentlyContinue
            $found = Get-Failure { $session | Invoke-Bpftrace -Program 'BEGIN { exit(); }' }
            Get-ErrorId $found.First | Should -Be 'ToolUnavailable'
            "$($found.First)" | Should -Match "has no bpftrace\. Start-PodDebug $script:other .*-For Bpftrace -Image"
        }

        It 'is named where the profile has too little' {
            $session = Start-PodDebug $script:other -Namespace $script:ns -Image $script:image
            $found = Get-Failure { $session | Invoke-Bpftrace -Program 'BEGIN { exit(); }' }
            Get-ErrorId $found.First | Should -Be 'NoCapability'
            "$($found.First)" | Should -Match 'no CAP_BPF and CAP_PERFMON\. Start-PodDebug .*-For Bpftrace'
        }

        It 'is less for a profile probe: <Program>' -ForEach @(
            @{ Program = 'profile:hz:49 { @[pid] = count(); } BEGIN { printf("runs\n"); }'; Id = $null }
            @{ Program = 'tracepoint:syscalls:sys_enter_read { @ = count(); }'; Id = 'NoTracefs' }
            @{ Program = 'uprobe:/proc/1/root/usr/bin/python3:main { @ = count(); }'; Id = 'NoCapability' }
        ) {
            $session = Start-PodDebug $script:other -Namespace $script:ns -Image $script:image -SecurityProfile Trace
            $count = $Id ? 1 : 0
            $found = Get-Failure -Count $count { $session | Invoke-Bpftrace -Program $Program -DurationSeconds 1 }
            if ($Id) {
                Get-ErrorId $found.First | Should -Be $Id
            }
            else {
                $found.Output.Text | Should -Contain 'runs'
            }
        }
    }
}
