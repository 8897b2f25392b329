BeforeAll {
    . (Join-Path $PSScriptRoot 'common.ps1')
    $script:ns = New-TestNamespace
    $script:pod = New-TestPod $script:ns
    $script:session = Start-PodDebug $script:pod -Namespace $script:ns

    function New-PodFile {
        # Writes a file in the application's container, which the debug container reaches below /proc/1/root.
        param([string] $Path, [string] $Content)
        Invoke-PodExec $script:ns $script:pod 'python3', '-c', 'import sys; open(sys.argv[1], "w").write(sys.argv[2])',
            $Path, $Content | Out-Null
        return "/proc/1/root$Path"
    }
}

AfterAll {
    Remove-TestNamespace $script:ns
}

Describe 'Copy-PodFile' {
    It 'copies a file of the image, byte for byte, for its owner alone' {
        $file = $script:session | Copy-PodFile -Path /srv/app.py -Destination $TestDrive
        $file | Should -BeOfType 'System.IO.FileInfo'
        $file.Name | Should -Be 'app.py'
        (Get-FileHash $file).Hash |
            Should -Be (Get-FileHash (Join-Path $script:Repository 'examples/badapp/app.py')).Hash
        $file.UnixFileMode | Should -Be ([System.IO.UnixFileMode]'UserRead, UserWrite')
    }

    It 'copies many megabytes whole' {
        Invoke-PodPython $script:ns $script:pod ('open("/tmp/large", "wb").writelines(b"%08d\n" % n for n in ' +
            'range(1500000))') | Out-Null
        $expected =
            Invoke-PodPython $script:ns $script:pod ('import hashlib; print(hashlib.sha256(open("/tmp/large", ' +
            '"rb").read()).hexdigest())')
        $file = $script:session | Copy-PodFile -Path /proc/1/root/tmp/large -Destination (Join-Path $TestDrive 'large')
        (Get-FileHash $file).Hash | Should -Be $expected.Trim()
    }

    It 'takes brackets as part of the name' {
        $path = New-PodFile '/tmp/profile[0].json' 'brackets'
        New-PodFile '/tmp/profile0.json' 'none' | Out-Null
        $file = $script:session | Copy-PodFile -LiteralPath $path -Destination $TestDrive
        $file.Name | Should -Be 'profile[0].json'
        Get-Content -LiteralPath $file.FullName | Should -Be 'brackets'
    }

    It 'resolves the links of the application in its root, and writes nothing there' {
        $made = @(
            'import os'
            'os.makedirs("/tmp/links", exist_ok=True)'
            'open("/tmp/links/file", "w").write("its own")'
            'os.symlink("/tmp/links", "/tmp/links/there")'
            'os.symlink("/proc/1/root", "/tmp/links/magic")'
        ) -join "`n"
        Invoke-PodPython $script:ns $script:pod $made | Out-Null
        $file = $script:session |
            Copy-PodFile -Path /proc/1/root/tmp/links/there/file -Destination (Join-Path $TestDrive 'through')
        Get-Content -LiteralPath $file.FullName | Should -Be 'its own'
        $result = Get-Failure { $script:session |
            Copy-PodFile -Path /proc/1/root/tmp/links/magic/etc/passwd -Destination (Join-Path $TestDrive 'no') }
        Get-ErrorId $result.First | Should -Be 'FileNotRegular'
        $result = Get-Failure { $script:session |
            Copy-PodFile -Path $file.FullName -Destination /proc/1/root/tmp/links/new -ToContainer }
        Get-ErrorId $result.First | Should -Be 'ParameterInvalid'
        Invoke-PodPython $script:ns $script:pod 'import os; print(sorted(os.listdir("/tmp/links")))' |
            Should -Match 'file.*magic.*there'
    }

    It 'copies into the container and back' {
        $source = Join-Path $TestDrive 'there.txt'
        Set-Content -LiteralPath $source -Value 'there and back'
        $script:session | Copy-PodFile -Path $source -Destination /tmp/there.txt -ToContainer | Out-Null
        $back = $script:session | Copy-PodFile -Path /tmp/there.txt -Destination (Join-Path $TestDrive 'back.txt')
        (Get-FileHash $back).Hash | Should -Be (Get-FileHash $source).Hash
    }

    It 'replaces a file in the container with -Force alone' {
        $source = Join-Path $TestDrive 'once.txt'
        Set-Content -LiteralPath $source -Value 'one'
        $script:session | Copy-PodFile -Path $source -Destination /tmp/once.txt -ToContainer | Out-Null
        $result = Get-Failure { $script:session | Copy-PodFile -Path $source -Destination /tmp/once.txt -ToContainer }
        Get-ErrorId $result.First | Should -Be 'FileExists'
        { $script:session | Copy-PodFile -Path $source -Destination /tmp/once.txt -ToContainer -Force } |
            Should -Not -Throw
    }

    It 'keeps what is there with -NoClobber' {
        $kept = Join-Path $TestDrive 'kept.txt'
        Set-Content -LiteralPath $kept -Value 'mine'
        $result = Get-Failure { $script:session | Copy-PodFile -Path /srv/app.py -Destination $kept -NoClobber }
        Get-ErrorId $result.First | Should -Be 'DestinationExists'
        Get-Content -LiteralPath $kept | Should -Be 'mine'
    }

    It 'takes a file of the application by its own path, links and all' {
        New-PodFile '/tmp/theirs.txt' 'theirs' | Out-Null
        Invoke-PodPython $script:ns $script:pod 'import os; os.symlink("/tmp/theirs.txt", "/tmp/linked.txt")' | Out-Null
        foreach ($path in '/tmp/theirs.txt', '/tmp/linked.txt') {
            $said = $script:session |
                Copy-PodFile -FromTarget -Path $path -Destination (Join-Path $TestDrive 'theirs') -Verbose 4>&1
            Get-Content ($said | Where-Object { $_ -is [IO.FileInfo] }) | Should -Be 'theirs'
            "$said" | Should -Match 's of CPU time, at nice 19'
        }
        $result = Get-Failure { $script:session | Copy-PodFile -Path /tmp/theirs.txt -Destination $TestDrive }
        Get-ErrorId $result.First | Should -Be 'FileNotFound'
        $result.First | Should -Match "in the debug container; the application's container has it.*-FromTarget takes it"
    }

    It 'copies folders both ways, names what it leaves out, and goes on' {
        $program = ('import os; os.makedirs("/tmp/logs/old"); [open(p, "w").write(p) for p in ("/tmp/logs/a.log", ' +
            '"/tmp/logs/old/b.log", "/tmp/logs/c.gz")]; os.symlink("/", "/tmp/logs/root")')
        Invoke-PodPython $script:ns $script:pod $program | Out-Null
        $folder = Join-Path $TestDrive 'logs'
        $copied = @($script:session |
            Copy-PodFile -FromTarget -Path /tmp/logs/ -Destination $folder -Recurse -Exclude *.GZ `
            -WarningVariable left -WarningAction SilentlyContinue -ErrorVariable counted -ErrorAction SilentlyContinue)
        $copied.Name | Should -Be 'a.log', 'b.log'
        Get-Content (Join-Path $folder 'old/b.log') | Should -Be '/tmp/logs/old/b.log'
        "$left" | Should -Match "'root' is left out: it is a link"
        Get-ErrorId $counted[0] | Should -Be 'FilesLeftOut'
        $script:session | Copy-PodFile -Path $folder -Destination /tmp/back -Recurse -ToContainer
        $back = @($script:session | Copy-PodFile -Path /tmp/back -Destination $TestDrive -Recurse)
        $back.FullName | Should -Be (Join-Path $TestDrive 'back/a.log'), (Join-Path $TestDrive 'back/old/b.log')
        (Get-FileHash $back).Hash | Should -Be (Get-FileHash $copied).Hash
        $back[0].LastWriteTimeUtc | Should -Be $copied[0].LastWriteTimeUtc
    }

    It 'says what is wrong with <Path>, and leaves no file' -ForEach @(
        @{ Path = '/srv/absent.txt'; Id = 'FileNotFound' }
        @{ Path = '/srv'; Id = 'FileNotRegular' }
        @{ Path = '/dev/zero'; Id = 'FileNotRegular' }
    ) {
        $folder = New-Item -ItemType Directory (Join-Path $TestDrive ([Guid]::NewGuid()))
        $result = Get-Failure { $script:session | Copy-PodFile -Path $Path -Destination (Join-Path $folder 'copy') }
        Get-ErrorId $result.First | Should -Be $Id
        Get-ChildItem -Force $folder | Should -BeNullOrEmpty
    }

    It 'copies nothing with -WhatIf' {
        $script:session | Copy-PodFile -Path /srv/app.py -Destination (Join-Path $TestDrive 'what-if') -WhatIf
        Test-Path (Join-Path $TestDrive 'what-if') | Should -BeFalse
    }
}
