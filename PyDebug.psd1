@{
    ModuleVersion        = '0.1.0'
    GUID                 = '5b8a3f52-9c7e-4d1b-8f0e-6a2d9e41c7b3'
    Author               = 'The PyDebug authors'
    CompanyName          = 'The PyDebug authors'
    Copyright            = '(c) The PyDebug authors'
    Description          = 'Debugs a running Python application in a Kubernetes pod: stacks, time and memory as objects, without a shell in the image, a restart or kubectl.'
    PowerShellVersion    = '7.4'
    CompatiblePSEditions = @('Core')
    NestedModules        = @('bin/PyDebug.Loader.dll', 'bin/PyDebug.dll')
    FormatsToProcess     = @('PyDebug.Format.ps1xml')
    CmdletsToExport      = @(
        'Compare-PyHeap'
        'Copy-PodFile'
        'Export-StackProfile'
        'Get-MemrayReport'
        'Get-PodDebug'
        'Get-PyHeap'
        'Get-PyProcess'
        'Get-PyStack'
        'Get-PyTask'
        'Import-StackProfile'
        'Invoke-Bpftrace'
        'Invoke-PySpy'
        'Measure-PyTime'
        'Start-PodDebug'
        'Stop-PodDebug'
        'Test-PodDebug'
        'Watch-PyProcess'
    )
    FunctionsToExport    = @()
    AliasesToExport      = @()
    VariablesToExport    = @()
    PrivateData          = @{
        PSData = @{
            Tags = @('PSEdition_Core', 'Linux', 'Windows', 'MacOS', 'Kubernetes', 'Python', 'Debugging', 'Profiling')
        }
    }
}
