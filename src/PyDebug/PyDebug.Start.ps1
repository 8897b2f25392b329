# A session keeps the first PyDebug.dll that it loaded: another one beside it would run its code under a new name.
& {
    if ($ExecutionContext.SessionState.LanguageMode -ne 'FullLanguage') {
        return
    }

    # The assembly that was imported here says so itself: to look for it among all takes longer than the import.
    $loaded = [AppContext]::GetData('PyDebug')
    if (-not $loaded) {
        return
    }

    # A block of its own: most imports are the first, and need not wait until it is compiled.
    & {
        $path = [IO.Path]::Combine($PSScriptRoot, 'bin', 'PyDebug.dll')
        $image = $null
        try {
            $image = [Reflection.PortableExecutable.PEReader]::new([IO.File]::OpenRead($path))
            $metadata = [Reflection.Metadata.PEReaderExtensions]::GetMetadataReader($image)
            $found = $metadata.GetGuid($metadata.GetModuleDefinition().Mvid)
        }
        catch {
            # Whatever is wrong with the file, the import says.
            return
        }
        finally {
            if ($image) { $image.Dispose() }
        }

        if ($found -ne $loaded.ManifestModule.ModuleVersionId) {
            $names = $loaded.GetName().Version, [Reflection.AssemblyName]::GetAssemblyName($path).Version |
                ForEach-Object { $_.ToString(3) }
            $message = "PyDebug $($names[0]) of '$($loaded.Location)' is loaded in this session, which cannot load " +
                "another one ($($names[1]) of '$path') any more. Start a new PowerShell for that."
            $exception = [InvalidOperationException]::new($message)
            throw [Management.Automation.ErrorRecord]::new($exception, 'ModuleLoadedAlready', 'ResourceExists', $path)
        }
    }
}
