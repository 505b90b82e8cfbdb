@extends('layout')
@section('title', 'Rezepte')
@section('content')
<p>Seen {{ $views }} times.</p>
<ul>
@forelse ($recipes as $recipe)
<li><a href="{{ route('recipe', $recipe) }}">{{ $recipe->title }}</a></li>
@empty
<li>Nothing.</li>
@endforelse
</ul>
<p>Page {{ $recipes->currentPage() }} of {{ $recipes->lastPage() }}. <a rel="next" href="{{ $recipes->nextPageUrl() }}">Next</a></p>
@endsection
